import { readView } from '../../../api/view.ts'

/** One more serving of the replicas page's data, for the page to ask for without being made anew. */
export async function GET() {
  return Response.json(await readView(), { headers: { 'cache-control': 'no-store' } })
}
