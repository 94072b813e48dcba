import { HttpResponse, http } from 'msw';
import { describe, expect, it } from 'vitest';
import { server } from '@/testing/server';
import { me } from './generated';
import { ApiError, toApiError } from './problem';

async function failure(): Promise<ApiError> {
  return me({ throwOnError: true }).then(
    () => Promise.reject(new Error('the call succeeded')),
    (error: unknown) => error as ApiError,
  );
}

describe('a failed call', () => {
  it('carries the sentence, the code and the time to wait that the server gave', async () => {
    server.use(
      http.get('*/api/me', () =>
        HttpResponse.json(
          { detail: 'Too busy.', code: 'queue_full' },
          { status: 429, headers: { 'Retry-After': '7' } },
        ),
      ),
    );
    expect(await failure()).toMatchObject({
      message: 'Too busy.',
      status: 429,
      code: 'queue_full',
      retryAfterS: 7,
    });
  });

  it('has a sentence of our own when a proxy answers with something else', async () => {
    server.use(http.get('*/api/me', () => new HttpResponse('<html>', { status: 502 })));
    const error = await failure();
    expect(error).toBeInstanceOf(ApiError);
    expect(error.message).toMatch(/Try again/);
  });

  it('says that the server cannot be reached when nothing comes back', async () => {
    server.use(http.get('*/api/me', () => HttpResponse.error()));
    expect(await failure()).toMatchObject({ status: 0, code: 'unreachable' });
  });

  it('reads Retry-After as a date too', () => {
    const at = new Date(Date.now() + 60_000).toUTCString();
    const error = toApiError({}, new Response('', { status: 503, headers: { 'Retry-After': at } }));
    expect(error.retryAfterS).toBeGreaterThan(50);
    expect(error.retryAfterS).toBeLessThanOrEqual(60);
  });
});
