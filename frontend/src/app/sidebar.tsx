import { Link, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { BookMarked, Boxes, Search, ShieldCheck, SquarePen } from 'lucide-react';
import { useMe } from '@/api/me';
import { Logo } from '@/components/logo';
import { buttonClass, IconButton } from '@/components/ui/button';
import { APP_NAME } from '@/config/app';
import { ConversationList } from '@/features/conversations/conversation-list';
import { Account } from '@/features/session/account';
import { ThemeSwitch } from '@/features/theme/theme-switch';
import { cn } from '@/lib/cn';
import { useOpenSearch } from './commands';
import { NEW_CHAT, SEARCH } from './use-shortcuts';

const PLACE = 'flex flex-1 items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm hover:bg-sidebar-active/60';
const HERE = { className: 'bg-sidebar-active font-medium', 'aria-current': 'page' } as const;

/** The way around: new chat, search, conversations, models, colours, prompts, what admins do, and one's account. */
export function Sidebar({ onNavigate }: { onNavigate: () => void }) {
  const navigate = useNavigate();
  const matches = useMatchRoute();
  const openSearch = useOpenSearch();
  const me = useMe();
  const search = () => {
    onNavigate();
    openSearch();
  };
  const onDeleted = (conversationId: string) => {
    if (matches({ to: '/c/$conversationId', params: { conversationId } })) void navigate({ to: '/' });
  };
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex items-center gap-2.5 px-5 pt-4 pb-3">
        <Logo className="size-7" />
        <span className="font-semibold tracking-tight">{APP_NAME}</span>
      </div>
      <div className="flex gap-2 px-3 pb-3">
        <Link
          to="/"
          onClick={onNavigate}
          title={`New chat (${NEW_CHAT.join('+')})`}
          className={cn(buttonClass(), 'min-w-0 flex-1 justify-start')}
        >
          <SquarePen aria-hidden />
          New chat
        </Link>
        <IconButton
          label="Search chats and actions"
          title={`Search chats and actions (${SEARCH.join('+')})`}
          variant="secondary"
          size="icon-lg"
          onClick={search}
        >
          <Search aria-hidden />
        </IconButton>
      </div>
      <ConversationList onOpen={onNavigate} onDeleted={onDeleted} />
      <div className="flex flex-col gap-2 border-t px-3 py-3">
        <div className="flex items-center justify-between gap-2">
          <Link to="/models" onClick={onNavigate} className={PLACE} activeProps={HERE}>
            <Boxes aria-hidden className="size-4" />
            Models
          </Link>
          <ThemeSwitch />
        </div>
        <Link to="/prompts" onClick={onNavigate} className={PLACE} activeProps={HERE}>
          <BookMarked aria-hidden className="size-4" />
          Prompts
        </Link>
        {me?.role === 'admin' && (
          <Link to="/admin" onClick={onNavigate} className={PLACE} activeProps={HERE}>
            <ShieldCheck aria-hidden className="size-4" />
            Admin
          </Link>
        )}
        <Account onNavigate={onNavigate} onSignedOut={() => void navigate({ to: '/login' })} />
      </div>
    </div>
  );
}
