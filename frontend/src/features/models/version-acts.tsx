import { ArrowUpToLine, Ellipsis, Swords, Undo2 } from 'lucide-react';
import { useState } from 'react';
import type { ModelsPage, ModelVersion } from '@/api/generated';
import { Button } from '@/components/ui/button';
import { Confirm } from '@/components/ui/dialog';
import { Menu, MenuItem } from '@/components/ui/menu';
import { useDialog } from '@/lib/use-dialog';
import { useVersionAct, type VersionAct } from './queries';

interface ActProps {
  act: VersionAct;
  version: ModelVersion;
  models: ModelsPage;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

const named = (models: ModelsPage, id: string | null) => models.items.find((version) => version.id === id);

/** Says what will happen, and does it once that was confirmed. */
function VersionActDialog({ act, version, models, open, onOpenChange }: ActProps) {
  const change = useVersionAct();
  const champion = named(models, models.champion)?.name ?? 'the present version';
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      {...questionOf(act, version.name, champion)}
      onConfirm={() => change.mutate({ act, version })}
    />
  );
}

function questionOf(act: VersionAct, name: string, champion: string) {
  switch (act) {
    case 'rollback':
      return {
        title: 'Roll back?',
        description: `${name} answers from then on, instead of ${champion}. Answers being written finish undisturbed, and you can roll back again.`,
        action: 'Roll back',
      };
    case 'promote':
      return {
        title: `Promote ${name}?`,
        description: `It answers everybody from then on, instead of ${champion}. Each server loads it before it lets go of the other, so nobody waits; answers being written finish undisturbed. You can roll back with one click.`,
        action: 'Promote',
      };
    case 'challenge':
      return {
        title: `Make ${name} the challenger?`,
        description: `It is served beside ${champion}: people can choose it, and compare the two blindly. ${champion} goes on answering everybody else. It needs memory of its own while it is there.`,
        action: 'Make challenger',
      };
    case 'end':
      return {
        title: `Stop serving ${name} as challenger?`,
        description: `Nobody can choose or compare it any more; ${champion} answers everybody. Votes that were given stay.`,
        action: 'End the challenge',
      };
  }
}

/** Brings the version before the present one back. */
export function Rollback({ models, allowed }: { models: ModelsPage; allowed: boolean }) {
  const [asking, setAsking] = useState(false);
  const previous = named(models, models.previous);
  const reason = reasonNot(allowed, previous);
  return (
    <div className="flex flex-col items-start gap-1 sm:items-end">
      <Button disabled={reason !== null} onClick={() => setAsking(true)}>
        <Undo2 aria-hidden />
        Roll back
      </Button>
      {reason && <p className="text-muted-foreground text-xs">{reason}</p>}
      {previous && (
        <VersionActDialog
          act="rollback"
          version={previous}
          models={models}
          open={asking}
          onOpenChange={setAsking}
        />
      )}
    </div>
  );
}

function reasonNot(allowed: boolean, previous: ModelVersion | undefined): string | null {
  if (!allowed) return 'Only an administrator can roll back.';
  return previous ? null : 'There is no earlier version yet.';
}

/** What an admin can do with a version; nothing where it cannot be served, or answers already. */
export function VersionMenu({ version, models }: { version: ModelVersion; models: ModelsPage }) {
  const [act, setAct] = useState<VersionAct>('promote');
  const dialog = useDialog();
  const ask = (wanted: VersionAct) => {
    setAct(wanted);
    dialog.show();
  };
  const isChallenger = version.id === models.challenger;
  if (version.state !== 'available' || version.id === models.champion) return null;
  return (
    <>
      <Menu
        label={`Actions for ${version.name}`}
        trigger={<Ellipsis aria-hidden className="size-4" />}
        triggerClassName="inline-flex size-8 shrink-0 items-center justify-center rounded-lg text-muted-foreground hover:bg-secondary hover:text-foreground data-[popup-open]:bg-secondary"
      >
        <MenuItem icon={<ArrowUpToLine aria-hidden />} onSelect={() => ask('promote')}>
          Promote
        </MenuItem>
        <MenuItem icon={<Swords aria-hidden />} onSelect={() => ask(isChallenger ? 'end' : 'challenge')}>
          {isChallenger ? 'End the challenge' : 'Make challenger'}
        </MenuItem>
      </Menu>
      <VersionActDialog
        act={act}
        version={version}
        models={models}
        open={dialog.open}
        onOpenChange={dialog.onOpenChange}
      />
    </>
  );
}
