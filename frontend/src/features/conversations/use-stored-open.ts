import { useState } from 'react';
import { STORAGE_KEYS } from '@/config/app';
import { readStored, writeStored } from '@/lib/storage';

/** Whether a group is open; kept on this device. */
export function useStoredOpen(name: string): [boolean, () => void] {
  const key = STORAGE_KEYS.group(name);
  const [open, setOpen] = useState(() => readStored(key) === 'open');
  const toggle = () => {
    writeStored(key, open ? null : 'open');
    setOpen(!open);
  };
  return [open, toggle];
}
