import { Link } from '@tanstack/react-router';
import { Ellipsis, Pencil, Trash2 } from 'lucide-react';
import { type KeyboardEvent, useState } from 'react';
import type { Conversation } from '@/api/generated';
import { Menu, MenuItem } from '@/components/ui/menu';
import { MAX_TITLE_CHARACTERS } from '@/config/app';
import { useRename } from './queries';

interface ConversationItemProps {
  conversation: Conversation;
  onDelete: (conversation: Conversation) => void;
  onOpen: () => void;
}

export function ConversationItem({ conversation, onDelete, onOpen }: ConversationItemProps) {
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
      <Menu
        label={`Actions for ${title}`}
        trigger={<Ellipsis aria-hidden className="size-4" />}
        triggerClassName="absolute inset-y-0 right-1 my-auto flex size-7 items-center justify-center rounded-md text-muted-foreground opacity-0 hover:text-foreground focus-visible:opacity-100 group-focus-within:opacity-100 group-hover:opacity-100 data-[popup-open]:opacity-100 pointer-coarse:opacity-100"
      >
        <MenuItem icon={<Pencil aria-hidden />} onSelect={() => setRenaming(true)}>
          Rename
        </MenuItem>
        <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => onDelete(conversation)}>
          Delete
        </MenuItem>
      </Menu>
    </div>
  );
}

function RenameField({ conversation, onDone }: { conversation: Conversation; onDone: () => void }) {
  const [title, setTitle] = useState(conversation.title);
  const rename = useRename();
  const save = () => {
    const trimmed = title.trim();
    if (trimmed && trimmed !== conversation.title) rename.mutate({ id: conversation.id, title: trimmed });
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
