import { Folder, FolderMinus } from 'lucide-react';
import type { Conversation } from '@/api/generated';
import { Button } from '@/components/ui/button';
import { Field } from '@/components/ui/field';
import { FormDialog } from '@/components/ui/form-dialog';
import { MAX_FOLDER_CHARACTERS } from '@/config/app';
import { useFolders } from './queries';

interface MoveDialogProps {
  conversation: Conversation | null;
  /** Null takes it out of its folder. */
  onMove: (conversation: Conversation, folder: string | null) => void;
  onClose: () => void;
}

/** Puts a conversation into a folder there is, or a new one. */
export function MoveDialog({ conversation, onMove, onClose }: MoveDialogProps) {
  const folders = useFolders();
  const others = folders.filter((name) => name !== conversation?.folder);
  const move = (folder: string | null) => {
    if (conversation) onMove(conversation, folder);
    onClose();
  };
  return (
    <FormDialog
      open={conversation !== null}
      onOpenChange={(open) => open || onClose()}
      title="Move to folder"
      description={`Where should “${conversation?.title || 'New chat'}” be listed?`}
      action="Move"
      pending={false}
      onSubmit={(form) => {
        const name = String(form.get('folder') ?? '').trim();
        if (name) move(name);
      }}
    >
      {(others.length > 0 || conversation?.folder) && (
        <ul aria-label="Folders" className="-mx-2 flex max-h-56 flex-col overflow-y-auto">
          {conversation?.folder && (
            <li>
              <Button variant="ghost" className="w-full justify-start" onClick={() => move(null)}>
                <FolderMinus aria-hidden />
                Out of “{conversation.folder}”
              </Button>
            </li>
          )}
          {others.map((name) => (
            <li key={name}>
              <Button variant="ghost" className="w-full justify-start" onClick={() => move(name)}>
                <Folder aria-hidden />
                <span className="truncate">{name}</span>
              </Button>
            </li>
          ))}
        </ul>
      )}
      <Field label="New folder" name="folder" required maxLength={MAX_FOLDER_CHARACTERS} autoComplete="off" />
    </FormDialog>
  );
}
