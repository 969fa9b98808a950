import { readFile } from 'node:fs/promises'
import { Reader, type Response } from 'maxmind'
import { z } from 'zod'

/** Finds the ISO 3166-1 code of a country; undefined if the address is not in the database. */
export type FindCountry = (address: string) => string | undefined

const country = z.object({ iso_code: z.string().regex(/^[A-Z]{2}$/) })
// An address of a satellite or an anonymous network has only the country of its registration.
const record = z.object({
  country: country.optional().catch(undefined),
  registered_country: country.optional().catch(undefined),
})

/** Addresses whose look-ups show that the tree and the data can be read. */
const SAMPLES = ['1.1.1.1', '8.8.8.8', '193.0.6.139', '2001:4860:4860::8888', '2a00:1450::1']

/**
 * Reads a database of countries or cities in the MaxMind DB format.
 * @throws Error that names the file and the fault
 */
export async function readGeoFile(path: string): Promise<FindCountry> {
  try {
    const reader = open(await readFile(path))
    return (address) => countryIn(reader, address)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`GEO_FILE: ${path} is no readable database of countries: ${reason}`, { cause })
  }
}

function open(file: Buffer): Reader<Response> {
  const reader = new Reader<Response>(file)
  const { databaseType, searchTreeSize, nodeCount } = reader.metadata
  if (!/country|city|enterprise/i.test(databaseType)) {
    throw new Error(`its type is ${databaseType.slice(0, 60)}`)
  }
  if (!(nodeCount > 0 && searchTreeSize + 16 < file.length)) throw new Error('it is incomplete')
  for (const address of SAMPLES) countryIn(reader, address)
  return reader
}

function countryIn(reader: Reader<Response>, address: string): string | undefined {
  const found = record.safeParse(reader.get(address)).data
  return found?.country?.iso_code ?? found?.registered_country?.iso_code
}
