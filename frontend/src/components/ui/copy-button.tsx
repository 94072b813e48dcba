import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { copyText } from '@/lib/clipboard';
import { IconButton } from './button';
import { toast } from './toaster';

interface CopyButtonProps {
  label: string;
  text: string;
  onCopied?: () => void;
}

export function CopyButton({ label, text, onCopied }: CopyButtonProps) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);

  const copy = async () => {
    if (await copyText(text)) {
      setCopied(true);
      onCopied?.();
    } else toast('The browser refused to copy. Select the text and copy it yourself.');
  };
  return (
    <IconButton label={copied ? 'Copied' : label} onClick={copy}>
      {copied ? <Check aria-hidden className="text-primary" /> : <Copy aria-hidden />}
    </IconButton>
  );
}
