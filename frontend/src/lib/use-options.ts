import { type KeyboardEvent, useEffect, useId, useState } from 'react';

/** A list of options under a text field: the arrow keys choose, Enter runs what is chosen. */
export function useOptions(count: number, run: (index: number) => void) {
  const list = useId();
  const [wanted, setActive] = useState(0);
  const active = Math.min(wanted, count - 1);
  const idOf = (index: number) => `${list}-${index}`;
  const activeId = active >= 0 ? idOf(active) : undefined;

  useEffect(() => {
    if (activeId) document.getElementById(activeId)?.scrollIntoView({ block: 'nearest' });
  }, [activeId]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'ArrowDown') setActive(Math.min(active + 1, count - 1));
    else if (event.key === 'ArrowUp') setActive(Math.max(active - 1, 0));
    else if (event.key === 'Enter' && active >= 0) run(active);
    else return;
    event.preventDefault();
  };
  return { list, active, activeId, setActive, idOf, onKeyDown };
}
