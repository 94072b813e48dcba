import { FileUp, FolderUp } from 'lucide-react';
import { type DragEvent, useEffect, useRef, useState } from 'react';
import { Button } from '@/components/ui/button';
import { toast } from '@/components/ui/toaster';
import { cn } from '@/lib/cn';
import { chosenFiles, droppedFiles } from './dropped';
import { type Candidate, type Sifted, sift } from './intake';

/** Takes a folder or files, dropped or chosen, and looks which of them are worth sending. */
export function DropZone({ onSifted }: { onSifted: (sifted: Sifted) => void }) {
  const [over, setOver] = useState(false);
  const [looking, setLooking] = useState(false);
  const folder = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (folder.current) folder.current.webkitdirectory = true; // React knows no such attribute
  }, []);

  const take = async (found: Candidate[] | Promise<Candidate[]>) => {
    setLooking(true);
    try {
      const candidates = await found;
      if (candidates.length === 0) toast('There is no file in it.');
      else onSifted(await sift(candidates));
    } catch {
      toast('The browser could not read these files. Choose them again.');
    } finally {
      setLooking(false);
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(droppedFiles(event.dataTransfer));
  };
  const chosen = (input: HTMLInputElement) => {
    void take(chosenFiles(input.files));
    input.value = '';
  };
  return (
    <section
      aria-label="Upload"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={cn(
        'flex flex-col items-center gap-3 rounded-xl border-2 border-dashed px-4 py-6 text-center',
        over ? 'border-primary bg-accent' : 'border-input',
      )}
    >
      <p className="text-sm">
        {looking ? 'Looking through the files…' : 'Drop a folder or files here, or choose them.'}
      </p>
      <div className="flex flex-wrap justify-center gap-2">
        <Button variant="primary" disabled={looking} onClick={() => folder.current?.click()}>
          <FolderUp aria-hidden />
          Choose a folder
        </Button>
        <Button disabled={looking} onClick={() => files.current?.click()}>
          <FileUp aria-hidden />
          Choose files
        </Button>
      </div>
      <p className="max-w-lg text-muted-foreground text-xs">
        Source code in UTF-8, up to 200 kB a file. Folders such as node_modules and .git are left out by
        themselves.
      </p>
      <input
        ref={folder}
        type="file"
        hidden
        multiple
        aria-label="A folder of source files"
        onChange={(event) => chosen(event.currentTarget)}
      />
      <input
        ref={files}
        type="file"
        hidden
        multiple
        aria-label="Source files"
        onChange={(event) => chosen(event.currentTarget)}
      />
    </section>
  );
}
