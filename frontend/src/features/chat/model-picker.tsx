import { ChevronsUpDown } from 'lucide-react';
import type { ServedModel } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Menu, MenuChoice, MenuChoices } from '@/components/ui/menu';
import { toast } from '@/components/ui/toaster';
import type { Chosen } from './use-chat-settings';

interface ModelPickerProps {
  /** What is served, the default first. */
  models: ServedModel[];
  chosen: Chosen;
}

const MEANING = { champion: 'champion', challenger: 'challenger, being tried' } as const;

/** Chooses the model that answers in this conversation. One that is no longer served stays visible until another is chosen. */
export function ModelPicker({ models, chosen }: ModelPickerProps) {
  const wanted = chosen.settings.model;
  const [first] = models;
  const gone = wanted !== null && !models.some(({ name }) => name === wanted);
  const shown = wanted ?? first?.name ?? '';
  const choose = (name: string) => {
    // The first is followed: whichever is champion answers, also next week.
    const model = name === first?.name ? null : name;
    chosen.save({ model }).catch((error) => toast(`The model was not changed. ${sentenceOf(error)}`));
  };
  return (
    <Menu
      label={`Model: ${shown}${gone ? ', not served any more' : ''}`}
      side="top"
      align="start"
      trigger={
        <>
          <span className={gone ? 'truncate text-destructive' : 'truncate'}>
            {shown}
            {gone && ' is not served any more'}
          </span>
          <ChevronsUpDown aria-hidden className="size-3.5 shrink-0" />
        </>
      }
      triggerClassName="flex h-8 min-w-0 max-w-64 items-center gap-1.5 rounded-lg px-2 text-xs hover:bg-secondary hover:text-foreground data-[popup-open]:bg-secondary"
    >
      <MenuChoices label="Model that answers in this chat" value={shown} onChange={choose}>
        {models.map(({ name, alias, demo }) => (
          <MenuChoice key={name} value={name}>
            <span className="min-w-0">
              <span className="block break-all">{name}</span>
              {(alias || demo) && (
                <span className="block text-muted-foreground text-xs">
                  {[alias && MEANING[alias], demo && 'demo model'].filter(Boolean).join(' · ')}
                </span>
              )}
            </span>
          </MenuChoice>
        ))}
      </MenuChoices>
    </Menu>
  );
}
