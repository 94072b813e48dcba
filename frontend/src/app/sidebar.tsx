import { Link, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { Boxes, SquarePen } from 'lucide-react';
import { Logo } from '@/components/logo';
import { buttonClass } from '@/components/ui/button';
import { APP_NAME } from '@/config/app';
import { ConversationList } from '@/features/conversations/conversation-list';
import { Account } from '@/features/session/account';
import { ThemeSwitch } from '@/features/theme/theme-switch';
import { cn } from '@/lib/cn';

/** The way around: new chat, conversations, models, colours. */
export function Sidebar({ onNavigate }: { onNavigate: () => void }) {
  const navigate = useNavigate();
  const matches = useMatchRoute();
  const onDeleted = (conversationId: string) => {
    if (matches({ to: '/c/$conversationId', params: { conversationId } })) void navigate({ to: '/' });
  };
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex items-center gap-2.5 px-5 pt-4 pb-3">
        <Logo className="size-7" />
        <span className="font-semibold tracking-tight">{APP_NAME}</span>
      </div>
      <div className="px-3 pb-3">
        <Link to="/" onClick={onNavigate} className={cn(buttonClass(), 'w-full justify-start')}>
          <SquarePen aria-hidden />
          New chat
        </Link>
      </div>
      <ConversationList onOpen={onNavigate} onDeleted={onDeleted} />
      <div className="flex flex-col gap-2 border-t px-3 py-3">
        <Account onSignedOut={() => void navigate({ to: '/login' })} />
        <div className="flex items-center justify-between gap-2">
          <Link
            to="/models"
            onClick={onNavigate}
            className="flex flex-1 items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm hover:bg-sidebar-active/60"
            activeProps={{ className: 'bg-sidebar-active font-medium', 'aria-current': 'page' }}
          >
            <Boxes aria-hidden className="size-4" />
            Models
          </Link>
          <ThemeSwitch />
        </div>
      </div>
    </div>
  );
}
