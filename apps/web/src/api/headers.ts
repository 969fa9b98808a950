export const instanceHeader = 'x-instance-id'
export const requestIdHeader = 'x-request-id'
