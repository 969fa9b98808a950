export { missingNames } from './missing-names.ts'
export { exporterSeries } from './exporters.ts'
export { readScrapes } from './scrape.ts'
