import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { meQuery } from '@/api/me';
import { ApiError } from '@/api/problem';
import { Chat } from '@/features/chat/chat';
import { NewChat } from '@/features/chat/new-chat';
import { Failure, NotFound } from './failure';
import { Shell } from './shell';

interface Context {
  queryClient: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound });

/** Everything that needs somebody signed in. Other failures than 401 do not keep the page from opening. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queryClient.ensureQueryData({ ...meQuery(), retry: false });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        throw redirect({ to: '/login', search: { next: location.href } });
      }
    }
  },
});

const home = createRoute({ getParentRoute: () => shell, path: '/', component: NewChat });

const chat = createRoute({
  getParentRoute: () => shell,
  path: '/c/$conversationId',
  component: function ChatRoute() {
    const { conversationId } = chat.useParams();
    return <Chat key={conversationId} conversationId={conversationId} />;
  },
});

const models = createRoute({
  getParentRoute: () => shell,
  path: '/models',
  component: lazyRouteComponent(() => import('@/features/models/models-page'), 'ModelsPage'),
});

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search: Record<string, unknown>): { next?: string } => ({ next: ownPath(search.next) }),
  component: lazyRouteComponent(() => import('./login-page'), 'LoginPage'),
});

/** A path of this application, or nothing: a link must not lead elsewhere after signing in. */
function ownPath(next: unknown): string | undefined {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : undefined;
}

export function createAppRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([shell.addChildren([home, chat, models]), login]),
    context: { queryClient },
    defaultErrorComponent: Failure,
    defaultNotFoundComponent: NotFound,
    defaultPreload: false,
    scrollRestoration: false,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
