import { Link } from '@tanstack/react-router';
import { type KeyboardEvent, useState } from 'react';
import type { Conversation } from '@/api/generated';
import { MAX_TITLE_CHARACTERS } from '@/config/app';
import { ConversationMenu } from './conversation-menu';
import { useChange } from './queries';

export interface ItemProps {
  conversation: Conversation;
  onMove: (conversation: Conversation) => void;
  onDelete: (conversation: Conversation) => void;
  onOpen: () => void;
}

export function ConversationItem({ conversation, onMove, onDelete, onOpen }: ItemProps) {
  const [renaming, setRenaming] = useState(false);
  const title = conversation.title || 'New chat';
  if (renaming) return <RenameField conversation={conversation} onDone={() => setRenaming(false)} />;
  return (
    <div className="group relative">
      <Link
        to="/c/$conversationId"
        params={{ conversationId: conversation.id }}
        onClick={onOpen}
        title={title}
        className="block truncate rounded-lg py-1.5 pr-9 pl-2.5 text-sm hover:bg-sidebar-active/60"
        activeProps={{ className: 'bg-sidebar-active font-medium', 'aria-current': 'page' }}
      >
        {title}
      </Link>
      <ConversationMenu
        conversation={conversation}
        title={title}
        onRename={() => setRenaming(true)}
        onMove={() => onMove(conversation)}
        onDelete={() => onDelete(conversation)}
      />
    </div>
  );
}

function RenameField({ conversation, onDone }: { conversation: Conversation; onDone: () => void }) {
  const [title, setTitle] = useState(conversation.title);
  const rename = useChange();
  const save = () => {
    const trimmed = title.trim();
    if (trimmed && trimmed !== conversation.title)
      rename.mutate({
        id: conversation.id,
        change: { title: trimmed },
        failure: 'The name was not changed.',
      });
    onDone();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') save();
    if (event.key === 'Escape') onDone();
  };
  return (
    <input
      ref={(field) => field?.focus()}
      aria-label="Name of the conversation"
      value={title}
      maxLength={MAX_TITLE_CHARACTERS}
      onChange={(event) => setTitle(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={save}
      onFocus={(event) => event.target.select()}
      className="block w-full rounded-lg border border-input bg-card px-2 py-1 text-sm"
    />
  );
}
