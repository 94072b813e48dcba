import { Scale } from 'lucide-react';
import { buttonClass, IconButton } from '@/components/ui/button';
import { Menu, MenuItem } from '@/components/ui/menu';

interface CompareButtonProps {
  /** The models that may be compared with the one that is chosen; none hides the button. */
  others: string[];
  /** Why nothing can be asked now, if so. */
  reason: string | null;
  onCompare: (other: string) => void;
}

/** Asks two models, blind. Where there are more than two, one is chosen first. */
export function CompareButton({ others, reason, onCompare }: CompareButtonProps) {
  const [only] = others;
  if (!only) return null;
  if (others.length === 1 || reason) {
    return (
      <IconButton
        label={reason ? `Compare two models (${reason})` : 'Compare two models'}
        size="icon-lg"
        disabled={reason !== null}
        onClick={() => onCompare(only)}
      >
        <Scale aria-hidden />
      </IconButton>
    );
  }
  return (
    <Menu
      label="Compare two models"
      side="top"
      trigger={<Scale aria-hidden />}
      triggerClassName={buttonClass({ variant: 'ghost', size: 'icon-lg' })}
    >
      {others.map((name) => (
        <MenuItem key={name} icon={<Scale aria-hidden />} onSelect={() => onCompare(name)}>
          Compare with {name}
        </MenuItem>
      ))}
    </Menu>
  );
}
