import { QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import type { ReactElement } from 'react';
import { createQueryClient } from '@/api/client';
import { createApp } from '@/app/app';

/** Renders with a cache of its own, which asks every question once. */
export function renderWithQueries(element: ReactElement) {
  const client = createQueryClient();
  client.setDefaultOptions({ queries: { retry: false, staleTime: Number.POSITIVE_INFINITY } });
  return { client, ...render(<QueryClientProvider client={client}>{element}</QueryClientProvider>) };
}

/** The whole application at an address. */
export function renderApp(path: string) {
  window.history.replaceState(null, '', path);
  return render(createApp(createQueryClient()));
}
