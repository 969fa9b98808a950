/** The page at `/api/docs`. Each address is relative to `/api/`, so that it works behind any path. */
export const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Threefold API</title>
    <link rel="icon" href="/icon.svg">
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="stylesheet" href="docs/reference.css">
  </head>
  <body>
    <main id="reference"><p class="loading">Loading the reference …</p></main>
    <noscript><p class="loading">The reference needs JavaScript. The document is at <a href="openapi.json">openapi.json</a>.</p></noscript>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/reference.js"></script>
  </body>
</html>
`

/**
 * Starts the viewer, in the colours that the user prefers. Without `validatorUrl: null` it would send
 * the document to a third party.
 */
export const script = `const dark = matchMedia('(prefers-color-scheme: dark)')
const setColours = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', setColours)
setColours()
SwaggerUIBundle({
  url: new URL('openapi.json', document.baseURI).pathname,
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  withCredentials: true,
})
`

export const styles = `body { margin: 0; background: #fff; }
.loading { margin: 2rem; font: 1rem/1.5 sans-serif; }
html.dark-mode, html.dark-mode body { background: #1c2022; color: #e4e6e6; }
.swagger-ui .wrapper { max-width: 72rem; }
.swagger-ui .info { margin: 2rem 0; }
.swagger-ui .scheme-container { box-shadow: none; padding: 1rem 0; }
@media (max-width: 40rem) {
  .swagger-ui .wrapper { padding: 0 .75rem; }
  .swagger-ui .info .title { font-size: 1.6rem; }
  .swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
  .swagger-ui .opblock .opblock-summary-method { min-width: 4.5rem; padding: .35rem 0; }
  .swagger-ui .opblock .opblock-summary-path { flex-basis: 100%; max-width: 100%; padding: .35rem 0 0; word-break: normal; overflow-wrap: anywhere; }
  .swagger-ui .opblock .opblock-summary-description { flex-basis: 100%; padding: .25rem 0 0; }
  .swagger-ui .parameters-container, .swagger-ui .responses-inner { overflow-x: auto; }
  .swagger-ui .opblock-body pre.microlight { white-space: pre-wrap; word-break: break-word; }
}
`
