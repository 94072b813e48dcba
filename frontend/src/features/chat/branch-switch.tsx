import { ChevronLeft, ChevronRight } from 'lucide-react';
import { IconButton } from '@/components/ui/button';

interface BranchSwitchProps {
  /** What there is more than one of: `answer` or `question`. */
  what: string;
  ids: string[];
  shown: string;
  onShow: (id: string) => void;
}

/** Goes between the answers to one question, or the ways it was asked. */
export function BranchSwitch({ what, ids, shown, onShow }: BranchSwitchProps) {
  const place = ids.indexOf(shown);
  const step = (by: number) => {
    const id = ids[place + by];
    if (id) onShow(id);
  };
  return (
    <div className="flex items-center text-muted-foreground text-xs tabular-nums">
      <IconButton label={`Previous ${what}`} disabled={place <= 0} onClick={() => step(-1)}>
        <ChevronLeft aria-hidden />
      </IconButton>
      <span>
        <span className="sr-only">{`This ${what} is `}</span>
        {place + 1}
        <span aria-hidden>/</span>
        <span className="sr-only"> of </span>
        {ids.length}
      </span>
      <IconButton label={`Next ${what}`} disabled={place >= ids.length - 1} onClick={() => step(1)}>
        <ChevronRight aria-hidden />
      </IconButton>
    </div>
  );
}
