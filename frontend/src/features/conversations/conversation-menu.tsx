import {
  Archive,
  ArchiveRestore,
  Ellipsis,
  FileJson,
  FileText,
  FolderInput,
  Pencil,
  Pin,
  PinOff,
  Trash2,
} from 'lucide-react';
import type { Conversation } from '@/api/generated';
import { Menu, MenuItem, MenuSeparator } from '@/components/ui/menu';
import { useChange, useExport } from './queries';

interface ConversationMenuProps {
  conversation: Conversation;
  title: string;
  onRename: () => void;
  onMove: () => void;
  onDelete: () => void;
}

/** What one can do with a conversation. */
export function ConversationMenu({ conversation, title, onRename, onMove, onDelete }: ConversationMenuProps) {
  const { id, pinned, archived } = conversation;
  const change = useChange();
  const save = useExport();
  const pin = () =>
    change.mutate({
      id,
      change: { pinned: !pinned },
      failure: 'The conversation was not pinned or unpinned.',
    });
  const archive = () =>
    change.mutate({
      id,
      change: { archived: !archived },
      failure: 'The conversation was not moved.',
      done: archived ? `“${title}” is back in the list.` : `“${title}” is in the archive.`,
      undo: { archived },
    });
  return (
    <Menu
      label={`Actions for ${title}`}
      trigger={<Ellipsis aria-hidden className="size-4" />}
      triggerClassName="absolute inset-y-0 right-1 my-auto flex size-7 items-center justify-center rounded-md text-muted-foreground opacity-0 hover:text-foreground focus-visible:opacity-100 group-focus-within:opacity-100 group-hover:opacity-100 data-[popup-open]:opacity-100 pointer-coarse:opacity-100"
    >
      <MenuItem icon={pinned ? <PinOff aria-hidden /> : <Pin aria-hidden />} onSelect={pin}>
        {pinned ? 'Unpin' : 'Pin'}
      </MenuItem>
      <MenuItem icon={<Pencil aria-hidden />} onSelect={onRename}>
        Rename
      </MenuItem>
      <MenuItem icon={<FolderInput aria-hidden />} onSelect={onMove}>
        Move to folder…
      </MenuItem>
      <MenuItem icon={archived ? <ArchiveRestore aria-hidden /> : <Archive aria-hidden />} onSelect={archive}>
        {archived ? 'Unarchive' : 'Archive'}
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<FileText aria-hidden />} onSelect={() => save.mutate({ id, format: 'markdown' })}>
        Export as Markdown
      </MenuItem>
      <MenuItem icon={<FileJson aria-hidden />} onSelect={() => save.mutate({ id, format: 'json' })}>
        Export as JSON
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={onDelete}>
        Delete
      </MenuItem>
    </Menu>
  );
}
