import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { configureClient } from '@/api/client';
import { fetchDeferred } from '@/lib/deferred';
import { server } from './server';

// jsdom lays nothing out and has no media queries.
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
Element.prototype.scrollIntoView ??= () => {};
window.matchMedia ??= (query) =>
  ({
    matches: query.includes('pointer: fine'),
    media: query,
    addEventListener() {},
    removeEventListener() {},
  }) as never;

// A page's chunk is compiled when a test first opens it, on a machine that may have other things to do.
configure({ asyncUtilTimeout: 5_000 });

beforeAll(() => {
  server.listen({ onUnhandledFrame: 'error' });
  configureClient();
  return fetchDeferred();
});
afterEach(() => {
  cleanup();
  server.resetHandlers();
  localStorage.clear();
  sessionStorage.clear();
});
afterAll(() => server.close());
