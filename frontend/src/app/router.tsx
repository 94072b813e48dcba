import type { QueryClient } from '@tanstack/react-query';
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { useCallback } from 'react';
import { meQuery } from '@/api/me';
import { ApiError } from '@/api/problem';
import { Chat } from '@/features/chat/chat';
import { NewChat } from '@/features/chat/new-chat';
import { conversationQuery } from '@/features/chat/queries';
import { methodsQuery } from '@/features/session/queries';
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

interface ChatSearch {
  /** A message to bring into view. */
  message?: string;
}

const chat = createRoute({
  getParentRoute: () => shell,
  path: '/c/$conversationId',
  validateSearch: ({ message }: Record<string, unknown>): ChatSearch => ({ message: id(message) }),
  loaderDeps: ({ search }) => search,
  /** Asks for the conversation while the page is still being drawn; the page waits for it, and says what went wrong. */
  loader: ({ context, params, deps }) => {
    void context.queryClient.prefetchQuery(conversationQuery(params.conversationId, deps.message));
  },
  component: function ChatRoute() {
    const { conversationId } = chat.useParams();
    const { message } = chat.useSearch();
    const navigate = chat.useNavigate();
    const onShown = useCallback(() => void navigate({ search: {}, replace: true }), [navigate]);
    return <Chat key={conversationId} conversationId={conversationId} message={message} onShown={onShown} />;
  },
});

/** Pages that everybody sees and that admins find among theirs. */
const shared = createRoute({
  getParentRoute: () => shell,
  id: 'shared',
  component: lazyRouteComponent(() => import('./admin-area'), 'SharedArea'),
});

const models = createRoute({
  getParentRoute: () => shared,
  path: '/models',
  component: lazyRouteComponent(() => import('@/features/models/models-page'), 'ModelsPage'),
});

const run = createRoute({
  getParentRoute: () => shared,
  path: '/models/runs/$runId',
  component: lazyRouteComponent(() => import('./run-pages'), 'RunPage'),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('./settings-page'), 'SettingsPage'),
});

const prompts = createRoute({
  getParentRoute: () => shell,
  path: '/prompts',
  component: lazyRouteComponent(() => import('./prompts-page'), 'PromptsPage'),
});

/** Pages for admins only. */
const admin = createRoute({
  getParentRoute: () => shell,
  id: 'admins',
  component: lazyRouteComponent(() => import('./admin-area'), 'AdminArea'),
});

const rows = createRoute({
  getParentRoute: () => admin,
  path: '/models/runs/$runId/rows',
  component: lazyRouteComponent(() => import('./run-pages'), 'RowsPage'),
});

const overview = createRoute({
  getParentRoute: () => admin,
  path: '/admin',
  component: lazyRouteComponent(() => import('./admin-overview'), 'AdminOverview'),
});

const users = createRoute({
  getParentRoute: () => admin,
  path: '/admin/users',
  component: lazyRouteComponent(() => import('@/features/admin/users-page'), 'UsersPage'),
});

const documents = createRoute({
  getParentRoute: () => admin,
  path: '/admin/documents',
  component: lazyRouteComponent(() => import('@/features/documents/documents-page'), 'DocumentsPage'),
});

const usage = createRoute({
  getParentRoute: () => admin,
  path: '/admin/usage',
  component: lazyRouteComponent(() => import('@/features/admin/usage-page'), 'UsagePage'),
});

const audit = createRoute({
  getParentRoute: () => admin,
  path: '/admin/audit',
  component: lazyRouteComponent(() => import('@/features/admin/audit-page'), 'AuditPage'),
});

const comparisons = createRoute({
  getParentRoute: () => admin,
  path: '/admin/comparisons',
  component: lazyRouteComponent(() => import('@/features/admin/comparisons-page'), 'ComparisonsPage'),
});

/** Where one comes in. With AUTH_MODE=local everybody is in already; not knowing that keeps no page from opening. */
const entrance = createRoute({
  getParentRoute: () => root,
  id: 'entrance',
  component: Outlet,
  beforeLoad: async ({ context }) => {
    const methods = await context.queryClient.ensureQueryData(methodsQuery()).catch(() => null);
    if (methods?.auth_mode === 'local') throw redirect({ to: '/' });
  },
});

interface LoginSearch {
  next?: string;
  problem?: string;
}

const login = createRoute({
  getParentRoute: () => entrance,
  path: '/login',
  validateSearch: ({ next, problem }: Record<string, unknown>): LoginSearch => ({
    next: ownPath(next),
    problem: typeof problem === 'string' ? problem : undefined,
  }),
  component: lazyRouteComponent(() => import('./login-page'), 'LoginPage'),
});

const welcome = createRoute({
  getParentRoute: () => entrance,
  path: '/welcome',
  component: lazyRouteComponent(() => import('./welcome-page'), 'WelcomePage'),
});

/** The id of something, or nothing. */
function id(value: unknown): string | undefined {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
    ? value
    : undefined;
}

/** A path of this application, or nothing: a link must not lead elsewhere after signing in. */
function ownPath(next: unknown): string | undefined {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : undefined;
}

export function createAppRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([
      shell.addChildren([
        home,
        chat,
        settings,
        prompts,
        shared.addChildren([models, run]),
        admin.addChildren([overview, users, rows, documents, usage, audit, comparisons]),
      ]),
      entrance.addChildren([login, welcome]),
    ]),
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
