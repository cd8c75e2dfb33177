import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// Built files are compared byte by byte with those in the repository: names and contents depend on the sources alone.
export default defineConfig({
  plugins: [svelte()],
  base: '/console/',
  build: { outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, sourcemap: false, modulePreload: { polyfill: false } },
})
