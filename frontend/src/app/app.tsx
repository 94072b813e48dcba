import { type QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { ApiError } from '@/api/problem';
import { Toaster } from '@/components/ui/toaster';
import { createAppRouter } from './router';

/** A session that ends under a running page leads to the sign-in, and back to the same place. */
function watchForSignOut(queryClient: QueryClient, router: ReturnType<typeof createAppRouter>): void {
  queryClient.getQueryCache().subscribe(({ type, query }) => {
    const error: unknown = type === 'updated' ? query.state.error : null;
    const { pathname, href } = router.state.location;
    if (error instanceof ApiError && error.status === 401 && pathname !== '/login') {
      void router.navigate({ to: '/login', search: { next: href } });
    }
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
