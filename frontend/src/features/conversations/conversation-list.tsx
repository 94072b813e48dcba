import { useState } from 'react';
import type { Conversation } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Button } from '@/components/ui/button';
import { Confirm } from '@/components/ui/dialog';
import { ConversationItem } from './conversation-item';
import { groupByDay, useConversations, useDelete } from './queries';

interface ConversationListProps {
  /** A conversation was opened: the place to close a drawer. */
  onOpen: () => void;
  onDeleted: (id: string) => void;
}

export function ConversationList({ onOpen, onDeleted }: ConversationListProps) {
  const list = useConversations();
  const [doomed, setDoomed] = useState<Conversation | null>(null);
  const remove = useDelete(onDeleted);
  const conversations = list.data?.pages.flatMap((page) => page.items) ?? [];

  return (
    <nav aria-label="Conversations" className="min-h-0 flex-1 overflow-y-auto px-3 pb-3">
      {list.isError && <p className="px-2.5 py-2 text-muted-foreground text-xs">{sentenceOf(list.error)}</p>}
      {list.isSuccess && conversations.length === 0 && (
        <p className="px-2.5 py-2 text-muted-foreground text-xs">Your conversations will be listed here.</p>
      )}
      {groupByDay(conversations).map((group) => (
        <section key={group.name} aria-label={group.name} className="mt-3 first:mt-0">
          <h2 className="px-2.5 py-1 font-medium text-muted-foreground text-xs">{group.name}</h2>
          <ul className="flex flex-col gap-px">
            {group.conversations.map((conversation) => (
              <li key={conversation.id}>
                <ConversationItem conversation={conversation} onOpen={onOpen} onDelete={setDoomed} />
              </li>
            ))}
          </ul>
        </section>
      ))}
      {list.hasNextPage && (
        <Button
          variant="ghost"
          size="sm"
          className="mt-2 w-full"
          disabled={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
        >
          {list.isFetchingNextPage ? 'Loading…' : 'Show older'}
        </Button>
      )}
      <Confirm
        open={doomed !== null}
        onOpenChange={(open) => open || setDoomed(null)}
        title="Delete this conversation?"
        description={`“${doomed?.title || 'New chat'}” is deleted for good, with its ratings and corrections. The next training run no longer sees it.`}
        action="Delete"
        danger
        onConfirm={() => doomed && remove.mutate(doomed.id)}
      />
    </nav>
  );
}
