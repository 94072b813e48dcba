import type { RowCount, Split } from '@/api/generated';
import { Select } from '@/components/ui/select';
import { reasonWords, sourceWords, splitWords } from '@/lib/training-words';
import type { RowFilter, SourceKind } from './row-queries';
import { totals } from './row-summary';

interface RowFiltersProps {
  counts: RowCount[];
  filter: RowFilter;
  onChange: (filter: RowFilter) => void;
}

const ANY = { value: '', label: 'all' };

/** Narrows the rows down; only what there is can be chosen. */
export function RowFilters({ counts, filter, onChange }: RowFiltersProps) {
  const set = (changes: RowFilter) => onChange({ ...filter, ...changes });
  const options = (values: string[], words: (value: string) => string) => [
    ANY,
    ...values.map((value) => ({ value, label: words(value) })),
  ];
  const sources = [...new Set(counts.map(({ source_kind }) => source_kind))];
  const splits = [...new Set(counts.flatMap(({ split }) => split ?? []))];
  const kept = filter.kept == null ? '' : String(filter.kept);
  return (
    <fieldset className="grid grid-cols-2 gap-3 sm:grid-cols-4">
      <legend className="sr-only">Which rows are shown</legend>
      <Select
        label="Rows"
        value={kept}
        onChange={(value) => set({ kept: value === '' ? undefined : value === 'true' })}
        options={[ANY, { value: 'true', label: 'kept' }, { value: 'false', label: 'left out' }]}
      />
      <Select
        label="Where from"
        value={filter.source ?? ''}
        onChange={(value) => set({ source: (value || undefined) as SourceKind | undefined })}
        options={options(sources, sourceWords)}
      />
      <Select
        label="What for"
        value={filter.split ?? ''}
        onChange={(value) => set({ split: (value || undefined) as Split | undefined })}
        options={options(splits, splitWords)}
      />
      <Select
        label="Left out because"
        value={filter.reason ?? ''}
        onChange={(value) => set({ reason: value || undefined })}
        options={options(
          totals(counts).map(([reason]) => reason),
          reasonWords,
        )}
      />
    </fieldset>
  );
}
