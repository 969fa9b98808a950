/** The name that `grafana/provisioning/datasources/threefold.yaml` gives to Prometheus. */
export const datasource = { type: 'prometheus', uid: 'prometheus' }
