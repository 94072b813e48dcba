import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Where `npm run dev` finds a backend. */
const backend = process.env.BACKEND_URL ?? 'http://127.0.0.1:8080';

/** What nginx and the backend send with the pages. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: {
    alias: [
      { find: '@', replacement: here('./src') },
      // @streamdown/code asks for all of shiki's 300 grammars and its WebAssembly engine; we ship our own choice.
      { find: /^shiki$/, replacement: here('./src/components/markdown/shiki.ts') },
    ],
  },
  server: { port: 5173, proxy: { '/api': backend } },
  preview: {
    port: 4173,
    proxy: { '/api': backend },
    headers: { 'Content-Security-Policy': CONTENT_SECURITY_POLICY },
  },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/testing/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    maxWorkers: 2,
    testTimeout: 20_000,
    server: { deps: { inline: ['@streamdown/code'] } },
  },
});
