#!/usr/bin/env bash
# build.sh APP: runs the app's own build, if it has one, and removes what no instance loads.
set -euo pipefail
app=$1

build() {
  # Next makes the ids of server actions from this value. A public constant keeps them the same in
  # every build, so that a form of one release may be posted to the next. The key that
  # encrypts is a secret of the running container. Next would fall back to the constant, so it is removed.
  local salt
  salt=$(printf 'threefold: ids of server actions' | head -c 32 | base64)

  # A copy has the development dependencies; the image gets none of them.
  cp -a . /build && cd /build
  find . -name node_modules -prune -exec rm -rf {} +
  cd "apps/$app"
  pnpm --filter "@repo/$app..." install --frozen-lockfile --store-dir "$PNPM_STORE"
  NODE_ENV=production NEXT_SERVER_ACTIONS_ENCRYPTION_KEY=$salt pnpm run build
  node /prune-next.ts "/repo/apps/$app" .next
  rm -rf .next/cache .next/standalone .next/trace* .next/diagnostics .next/types
  find .next -name '*.nft.json' -delete
  grep -rlF "$salt" .next | xargs -r sed -i "s|$salt||g"
  cp -a .next "/repo/apps/$app/"
  cd /repo
}

if grep -q '"build"' "apps/$app/package.json"; then build; fi

# Optional peers that other parts of the repository install, compilers and test tools.
(
  cd node_modules/.pnpm
  rm -rf {@next+swc,@img+,sharp@,@esbuild,esbuild,drizzle-kit@,playwright,@playwright,@types+,tsx@}*
  if grep -q '"next"' "/repo/apps/$app/package.json"; then
    # The build has put them into its own files.
    rm -rf {lucide-react,@base-ui+,@floating-ui+,@fontsource,tailwind-}*
  else
    rm -rf {next@,react@,react-dom@,caniuse-lite@}*
  fi
)

# Only Node.js runs here: no types, no source maps, no tests, no instructions for package managers.
find . \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.tsbuildinfo' \
  -o -name '*.test.ts' -o -name '*.test.js' -o -name '*.fixture.ts' \) -type f -delete
find . -xtype l -delete
find node_modules -depth -type d -empty -delete
find . \( -name bench -o -name mutants \) -path './packages/*' -prune -exec rm -rf {} +
rm -rf packages/{embedded,testing} infra e2e pnpm-lock.yaml pnpm-workspace.yaml turbo.json tsconfig.json node_modules/.modules.yaml
find apps packages \( -name tsconfig.json -o -name turbo.json \) -delete
