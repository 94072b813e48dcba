import { useNavigate } from '@tanstack/react-router';
import {
  BookMarked,
  Boxes,
  Database,
  Keyboard,
  Monitor,
  Moon,
  Settings,
  ShieldCheck,
  SquarePen,
  Sun,
} from 'lucide-react';
import { createContext, type ReactNode, useCallback, useContext, useMemo } from 'react';
import type { SearchHit } from '@/api/generated';
import { useMe } from '@/api/me';
import { setTheme } from '@/features/theme/theme';
import { deferred, useDeferred } from '@/lib/deferred';
import { usePromptLibrary } from '@/lib/prompt-library';
import { useDialog } from '@/lib/use-dialog';
import { ADMIN_PAGES } from './admin-pages';
import { NEW_CHAT, SHORTCUTS_HELP, useShortcuts } from './use-shortcuts';

const searchDialog = deferred(() =>
  import('@/features/search/search-dialog').then((module) => module.SearchDialog),
);
const shortcutsDialog = deferred(() => import('./shortcuts-dialog').then((module) => module.ShortcutsDialog));

const OpenSearch = createContext<() => void>(() => undefined);

/** Opens the search. */
export function useOpenSearch(): () => void {
  return useContext(OpenSearch);
}

/** Search and shortcuts, on every page inside. */
export function Commands({ children }: { children: ReactNode }) {
  const navigate = useNavigate();
  const isAdmin = useMe()?.role === 'admin';
  const search = useDialog();
  const shortcuts = useDialog();
  const { choose } = usePromptLibrary();
  const newChat = useCallback(() => void navigate({ to: '/' }), [navigate]);
  useShortcuts({ onSearch: search.show, onNewChat: newChat, onShortcuts: shortcuts.show });
  const SearchDialog = useDeferred(searchDialog, search.open);
  const ShortcutsDialog = useDeferred(shortcutsDialog, shortcuts.open);
  const showShortcuts = shortcuts.show;
  const actions = useMemo(
    () => [
      { name: 'New chat', icon: <SquarePen aria-hidden />, keys: NEW_CHAT, run: newChat },
      { name: 'Put in a saved prompt', icon: <BookMarked aria-hidden />, run: choose },
      {
        name: 'Saved prompts',
        icon: <BookMarked aria-hidden />,
        run: () => void navigate({ to: '/prompts' }),
      },
      { name: 'Models', icon: <Boxes aria-hidden />, run: () => void navigate({ to: '/models' }) },
      { name: 'Settings', icon: <Settings aria-hidden />, run: () => void navigate({ to: '/settings' }) },
      {
        name: 'Export or import your data',
        icon: <Database aria-hidden />,
        run: () => void navigate({ to: '/settings', hash: 'your-data' }),
      },
      { name: 'Light colours', icon: <Sun aria-hidden />, run: () => setTheme('light') },
      { name: 'Dark colours', icon: <Moon aria-hidden />, run: () => setTheme('dark') },
      { name: 'Colours as the system', icon: <Monitor aria-hidden />, run: () => setTheme('system') },
      ...(isAdmin ? ADMIN_PAGES : []).map(({ to, name }) => ({
        name: `Admin: ${name}`,
        icon: <ShieldCheck aria-hidden />,
        run: () => void navigate({ to }),
      })),
      {
        name: 'Keyboard shortcuts',
        icon: <Keyboard aria-hidden />,
        keys: SHORTCUTS_HELP,
        run: showShortcuts,
      },
    ],
    [navigate, newChat, showShortcuts, choose, isAdmin],
  );
  const onHit = ({ conversation_id: conversationId, message_id: message }: SearchHit) =>
    void navigate({ to: '/c/$conversationId', params: { conversationId }, search: { message } });

  return (
    <OpenSearch value={search.show}>
      {children}
      {SearchDialog && search.turn > 0 && (
        <SearchDialog
          key={search.turn}
          open={search.open}
          onOpenChange={search.onOpenChange}
          actions={actions}
          onHit={onHit}
        />
      )}
      {ShortcutsDialog && <ShortcutsDialog open={shortcuts.open} onOpenChange={shortcuts.onOpenChange} />}
    </OpenSearch>
  );
}
