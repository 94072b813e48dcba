import { Archive, Folder } from 'lucide-react';
import { useState } from 'react';
import type { Conversation } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Confirm } from '@/components/ui/dialog';
import { ConversationGroup } from './conversation-group';
import { ConversationItem, type ItemProps } from './conversation-item';
import { MoveDialog } from './move-dialog';
import { Older } from './older';
import { type Group, groupByDay, useChange, useConversations, useDelete, useFolders } from './queries';

interface ConversationListProps {
  /** A conversation was opened: the place to close a drawer. */
  onOpen: () => void;
  onDeleted: (id: string) => void;
}

/** Those that are pinned, folders, the others by day, and the way to the archive. */
export function ConversationList({ onOpen, onDeleted }: ConversationListProps) {
  const list = useConversations();
  const folders = useFolders();
  const [doomed, setDoomed] = useState<Conversation | null>(null);
  const [moving, setMoving] = useState<Conversation | null>(null);
  const [filled, setFilled] = useState<string | null>(null);
  const remove = useDelete(onDeleted);
  const change = useChange();
  const pages = list.data?.pages ?? [];
  const pinned = pages.flatMap((page) => page.pinned);
  const items = pages.flatMap((page) => page.items);
  const loose = items.filter((conversation) => conversation.folder === null);
  const item = { onOpen, onMove: setMoving, onDelete: setDoomed };

  return (
    <nav aria-label="Conversations" className="min-h-0 flex-1 overflow-y-auto px-3 pb-3">
      {list.isPending && <ListSkeleton />}
      {list.isError && <p className="px-2.5 py-2 text-muted-foreground text-xs">{sentenceOf(list.error)}</p>}
      {list.isSuccess && pinned.length + items.length === 0 && (
        <p className="px-2.5 py-2 text-muted-foreground text-xs">Your conversations will be listed here.</p>
      )}
      {pinned.length > 0 && <Section group={{ name: 'Pinned', conversations: pinned }} {...item} />}
      {folders.length > 0 && (
        <section aria-label="Folders" className="mt-3 first:mt-0">
          <h2 className="px-2.5 py-1 font-medium text-muted-foreground text-xs">Folders</h2>
          {folders.map((folder) => (
            <ConversationGroup
              key={folder}
              name={folder}
              stored={`folder.${folder}`}
              icon={<Folder aria-hidden />}
              which={{ folder }}
              reveal={folder === filled}
              {...item}
            />
          ))}
        </section>
      )}
      {groupByDay(loose).map((group) => (
        <Section key={group.name} group={group} {...item} />
      ))}
      <Older list={list} />
      {list.isSuccess && (
        <div className="mt-3">
          <ConversationGroup
            name="Archived"
            stored="archived"
            icon={<Archive aria-hidden />}
            which={{ archived: true }}
            {...item}
          />
        </div>
      )}
      <MoveDialog
        conversation={moving}
        onClose={() => setMoving(null)}
        onMove={({ id }, folder) => {
          setFilled(folder);
          change.mutate({ id, change: { folder }, failure: 'The conversation was not moved.' });
        }}
      />
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

const ROWS = ['w-4/5', 'w-3/5', 'w-11/12', 'w-2/3', 'w-3/4'];

/** Stands where the conversations will be listed. */
function ListSkeleton() {
  return (
    <div role="status" className="appear-late flex flex-col gap-5 px-2.5 py-3">
      <span className="sr-only">Loading…</span>
      {ROWS.map((width) => (
        <div key={width} className={`h-3 animate-pulse rounded-full bg-secondary ${width}`} />
      ))}
    </div>
  );
}

function Section({ group, ...item }: { group: Group } & Omit<ItemProps, 'conversation'>) {
  return (
    <section aria-label={group.name} className="mt-3 first:mt-0">
      <h2 className="px-2.5 py-1 font-medium text-muted-foreground text-xs">{group.name}</h2>
      <ul className="flex flex-col gap-px">
        {group.conversations.map((conversation) => (
          <li key={conversation.id}>
            <ConversationItem conversation={conversation} {...item} />
          </li>
        ))}
      </ul>
    </section>
  );
}
