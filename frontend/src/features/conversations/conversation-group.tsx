import { ChevronRight } from 'lucide-react';
import { type ReactNode, useId } from 'react';
import { sentenceOf } from '@/api/problem';
import { cn } from '@/lib/cn';
import { ConversationItem, type ItemProps } from './conversation-item';
import { Older } from './older';
import { useConversations, type Which } from './queries';
import { useStoredOpen } from './use-stored-open';

interface ConversationGroupProps extends Omit<ItemProps, 'conversation'> {
  name: string;
  /** Under which name it is remembered whether the group is open. */
  stored: string;
  icon: ReactNode;
  which: Which;
  /** A conversation has just been put here, and had better not be out of sight. */
  reveal?: boolean;
}

/** Conversations that are listed once one asks for them: a folder, or the archive. */
export function ConversationGroup({
  name,
  stored,
  icon,
  which,
  reveal = false,
  ...item
}: ConversationGroupProps) {
  const [open, toggle] = useStoredOpen(stored, reveal);
  const list = useConversations(which, open);
  const pages = list.data?.pages ?? [];
  const conversations = pages.flatMap((page) => [...page.pinned, ...page.items]);
  const content = useId();
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        aria-controls={open ? content : undefined}
        onClick={toggle}
        className="flex w-full items-center gap-2 rounded-lg px-2.5 py-1.5 text-left text-muted-foreground text-sm hover:bg-sidebar-active/60 hover:text-foreground [&_svg]:size-4 [&_svg]:shrink-0"
      >
        {icon}
        <span className="min-w-0 flex-1 truncate">{name}</span>
        <ChevronRight aria-hidden className={cn('transition-transform', open && 'rotate-90')} />
      </button>
      {open && (
        <div id={content} className="ml-3 border-l pl-1">
          {list.isPending && <Quiet>Loading…</Quiet>}
          {list.isError && <Quiet>{sentenceOf(list.error)}</Quiet>}
          {list.isSuccess && conversations.length === 0 && <Quiet>Nothing is here.</Quiet>}
          <ul aria-label={name} className="flex flex-col gap-px">
            {conversations.map((conversation) => (
              <li key={conversation.id}>
                <ConversationItem conversation={conversation} {...item} />
              </li>
            ))}
          </ul>
          <Older list={list} />
        </div>
      )}
    </div>
  );
}

function Quiet({ children }: { children: ReactNode }) {
  return <p className="px-2.5 py-1.5 text-muted-foreground text-xs">{children}</p>;
}
