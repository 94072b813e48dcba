import { useState } from 'react';
import type { Document } from '@/api/generated';
import { sentenceOf } from '@/api/problem';
import { Notice } from '@/components/ui/notice';
import { Empty, Page, Section } from '@/components/ui/page';
import { SearchField } from '@/components/ui/search-field';
import { Select } from '@/components/ui/select';
import { ShowMore } from '@/components/ui/show-more';
import { Skeleton } from '@/components/ui/skeleton';
import { SEARCH_DELAY_MS } from '@/config/app';
import { formatCount } from '@/lib/format';
import { useDebounced } from '@/lib/use-debounced';
import { useDialog } from '@/lib/use-dialog';
import { useTitle } from '@/lib/use-title';
import { DocumentReader } from './document-reader';
import { DropZone } from './drop-zone';
import type { Sifted } from './intake';
import { useDocuments, useRepos } from './queries';
import { UploadDialog } from './upload-dialog';

/** Source code that runs learn from: what there is, and the way in and out. */
export function DocumentsPage() {
  useTitle('Documents');
  const [sifted, setSifted] = useState<Sifted | null>(null);
  const uploading = useDialog();
  return (
    <Page
      title="Documents"
      lead="Source code that the next run learns from, so that the model writes as your organisation does. From a server: “python -m finetuning ingest”."
    >
      <DropZone
        onSifted={(found) => {
          setSifted(found);
          uploading.show();
        }}
      />
      <Files />
      {sifted && (
        <UploadDialog
          key={uploading.turn}
          sifted={sifted}
          open={uploading.open}
          onOpenChange={uploading.onOpenChange}
        />
      )}
    </Page>
  );
}

function Files() {
  const [repo, setRepo] = useState('');
  const [search, setSearch] = useState('');
  const wanted = useDebounced(search.trim(), SEARCH_DELAY_MS);
  const repos = useRepos();
  const list = useDocuments(repo || null, wanted);
  const documents = list.data?.pages.flatMap((page) => page.items) ?? [];
  const names = repos.data?.items ?? [];
  const options = [
    { value: '', label: 'All repositories' },
    ...names.map(({ name, files, erased }) => ({
      value: name,
      label: `${name} (${formatCount(files)}${erased > 0 ? `, ${formatCount(erased)} erased` : ''})`,
    })),
  ];
  return (
    <Section title="Files">
      <div className="grid gap-3 sm:grid-cols-[1fr_2fr] sm:items-end">
        <Select label="Repository" value={repo} onChange={setRepo} options={options} />
        <SearchField label="Search files" placeholder="Part of a path" value={search} onChange={setSearch} />
      </div>
      {list.isPending && <Skeleton rows={5} />}
      {list.isError && <Notice tone="error">{sentenceOf(list.error)}</Notice>}
      {list.isSuccess && documents.length === 0 && (
        <Empty>
          {wanted || repo
            ? `No file here has “${wanted}” in its path.`
            : 'No source files yet. Drop a folder above: your own code teaches the model your names and idioms.'}
        </Empty>
      )}
      {documents.length > 0 && <FileList documents={documents} showRepo={repo === ''} />}
      <ShowMore list={list} />
      <p role="status" className="sr-only">
        {list.isSuccess && `${documents.length} files listed`}
      </p>
    </Section>
  );
}

function FileList({ documents, showRepo }: { documents: Document[]; showRepo: boolean }) {
  const [shown, setShown] = useState<Document | null>(null);
  const reading = useDialog();
  return (
    <>
      <ul aria-label="Files" className="divide-y overflow-hidden rounded-xl border bg-card">
        {documents.map((document) => (
          <li key={document.id}>
            <button
              type="button"
              onClick={() => {
                setShown(document);
                reading.show();
              }}
              className="flex w-full flex-wrap items-baseline justify-between gap-x-4 px-4 py-2.5 text-left text-sm hover:bg-muted"
            >
              <span className="min-w-0 [overflow-wrap:anywhere]">
                {showRepo && <span className="text-muted-foreground">{document.repo}/</span>}
                {document.path}
              </span>
              <span className="text-muted-foreground text-xs">
                {[document.language, document.license].filter(Boolean).join(' · ')}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {shown && (
        <DocumentReader
          key={reading.turn}
          document={shown}
          open={reading.open}
          onOpenChange={reading.onOpenChange}
        />
      )}
    </>
  );
}
