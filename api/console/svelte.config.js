import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

// Class names must not depend on the folder that the sources lie in.
export default { preprocess: vitePreprocess(), compilerOptions: { runes: true, cssHash: ({ hash, css }) => `e-${hash(css)}` } }
