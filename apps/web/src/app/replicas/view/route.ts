import { readView } from '../../../api/view.ts'

/** The data of the replicas page, which the page loads again without a new render. */
export async function GET() {
  return Response.json(await readView(), { headers: { 'cache-control': 'no-store' } })
}
