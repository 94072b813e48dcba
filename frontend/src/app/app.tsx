import { type QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { ApiError } from '@/api/problem';
import { Toaster } from '@/components/ui/toaster';
import { createAppRouter } from './router';

/** Where one is before signing in: a refusal there is part of the page. */
const ENTRANCES = ['/login', '/welcome'];

/** A session that ends under a running page leads to the sign-in, and back to the same place. */
function watchForSignOut(queryClient: QueryClient, router: ReturnType<typeof createAppRouter>): void {
  const look = (error: unknown) => {
    const { pathname, href } = router.state.location;
    if (error instanceof ApiError && error.status === 401 && !ENTRANCES.includes(pathname)) {
      void router.navigate({ to: '/login', search: { next: href } });
    }
  };
  queryClient.getQueryCache().subscribe(({ type, query }) => {
    if (type === 'updated') look(query.state.error);
  });
  queryClient.getMutationCache().subscribe((event) => {
    if (event.type === 'updated' && event.action.type === 'error') look(event.action.error);
  });
}

export function createApp(queryClient: QueryClient) {
  const router = createAppRouter(queryClient);
  watchForSignOut(queryClient, router);
  return (
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
      <Toaster />
    </QueryClientProvider>
  );
}
