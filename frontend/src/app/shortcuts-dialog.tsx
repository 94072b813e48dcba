import { Dialog } from '@/components/ui/dialog';
import { Keys } from '@/components/ui/keys';
import { NEW_CHAT, SEARCH, SHORTCUTS_HELP } from './use-shortcuts';

const SHORTCUTS: { does: string; keys: readonly string[] }[] = [
  { does: 'Search chats and actions', keys: SEARCH },
  { does: 'New chat', keys: NEW_CHAT },
  { does: 'Go to the message field', keys: ['/'] },
  { does: 'Put in a saved prompt, at the start of an empty message', keys: ['/'] },
  { does: 'Send the message', keys: ['Enter'] },
  { does: 'Start a new line in it', keys: ['Shift', 'Enter'] },
  { does: 'Stop the answer, from the message field', keys: ['Esc'] },
  { does: 'Show these shortcuts', keys: SHORTCUTS_HELP },
];

interface ShortcutsDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function ShortcutsDialog({ open, onOpenChange }: ShortcutsDialogProps) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard shortcuts">
      <dl className="flex flex-col gap-2.5 text-sm">
        {SHORTCUTS.map(({ does, keys }) => (
          <div key={does} className="flex items-center justify-between gap-4">
            <dt>{does}</dt>
            <dd>
              <Keys keys={keys} />
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
