/** The currencies in which a payment can be made (ISO 4217). */
export const currencies = ['EUR', 'USD', 'GBP', 'CHF'] as const
