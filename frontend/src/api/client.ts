import { QueryClient } from '@tanstack/react-query';
import { client } from './generated/client.gen';
import { ApiError, toApiError } from './problem';

/** Makes every failed call of the generated client reject with an ApiError. */
export function configureClient(): void {
  client.setConfig({ baseUrl: window.location.origin, throwOnError: true });
  client.interceptors.error.clear();
  client.interceptors.error.use((error, response) => toApiError(error, response));
}

/** Worth asking again: nothing came back, or the server is restarting. */
function isTransient(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 502);
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) => failures < 3 && isTransient(error),
        retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 5_000),
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  });
}
