import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Me, ModelsPage, TrainingRow, TrainingRun } from '@/api/generated';
import { makeMe, makeModels, makeRun, makeTrainingRow, makeVersion } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const FIRST = makeVersion({ aliases: ['champion'] });
const SECOND = makeVersion({ id: 'version-2', name: 'second', run_id: 'run-1' });

function serve({ models = makeModels([FIRST, SECOND]), runs = [], me = {} }: Partial<World> = {}): void {
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe(me))),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/models', () => HttpResponse.json(models)),
    http.get('*/api/training/runs', () => HttpResponse.json({ items: runs })),
    http.get('*/api/training/runs/run-1', () => HttpResponse.json(runs[0])),
  );
}

interface World {
  models: ModelsPage;
  runs: TrainingRun[];
  me: Partial<Me>;
}

async function choose(version: string, action: string) {
  await userEvent.click(await screen.findByRole('button', { name: `Actions for ${version}` }));
  await userEvent.click(await screen.findByRole('menuitem', { name: action }));
  return screen.findByRole('alertdialog');
}

// Compiled before the first test begins to wait for a page.
beforeAll(async () => {
  await Promise.all([import('./admin-area'), import('./run-pages'), import('@/features/models/models-page')]);
}, 60_000);

beforeEach(() => {
  window.scrollTo = vi.fn();
});

describe('a version', () => {
  it('is promoted once that was confirmed, and the page shows how far the servers are', async () => {
    serve();
    const after = makeModels([FIRST, SECOND], { champion: 'version-2', servers: 3, taken_over: 1 });
    server.use(
      http.post('*/api/models/version-2/promote', () => {
        serve({ models: after });
        return HttpResponse.json(after);
      }),
    );
    renderApp('/models');
    const question = await choose('second', 'Promote');
    expect(question).toHaveTextContent(/answers everybody from then on, instead of first/);
    await userEvent.click(within(question).getByRole('button', { name: 'Promote' }));
    expect(await screen.findByText(/second is taken over by 1 of 3 servers/)).toBeInTheDocument();
    expect(screen.getByRole('progressbar', { name: 'Servers that have taken it over' })).toHaveAttribute(
      'aria-valuenow',
      '33',
    );
  });

  it('stays what it is when the server refuses, and its sentence says why', async () => {
    serve();
    const detail = 'The file of second is not where it was registered; put it back first.';
    server.use(
      http.post('*/api/models/version-2/promote', () => HttpResponse.json({ detail }, { status: 409 })),
    );
    renderApp('/models');
    const question = await choose('second', 'Promote');
    await userEvent.click(within(question).getByRole('button', { name: 'Promote' }));
    expect(await screen.findByText(`Nothing was changed. ${detail}`)).toBeInTheDocument();
  });

  it('becomes the challenger, and is that no longer', async () => {
    serve();
    const with_ = (challenger: string | null) => makeModels([FIRST, SECOND], { challenger });
    const answer = (challenger: string | null) => () => {
      serve({ models: with_(challenger) });
      return HttpResponse.json(with_(challenger));
    };
    renderApp('/models');
    server.use(http.post('*/api/models/version-2/challenge', answer('version-2')));
    const question = await choose('second', 'Make challenger');
    expect(question).toHaveTextContent(/compare the two blindly/);
    await userEvent.click(within(question).getByRole('button', { name: 'Make challenger' }));
    expect(await screen.findByText(/second is the challenger now/)).toBeInTheDocument();
    server.use(http.delete('*/api/models/challenger', answer(null)));
    const end = await choose('second', 'End the challenge');
    await userEvent.click(within(end).getByRole('button', { name: 'End the challenge' }));
    expect(await screen.findByText(/no longer the challenger/)).toBeInTheDocument();
  });

  it('that cannot be served says why, and has no actions; nor has any for members', async () => {
    const bad = makeVersion({ id: 'version-3', name: 'bad', state: 'rejected' });
    serve({ models: makeModels([FIRST, bad]) });
    renderApp('/models');
    expect(await screen.findByText(/Refused by the gate: it did not measure better/)).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: /^Actions for/ })).not.toBeInTheDocument();
  });

  it('is only looked at by members', async () => {
    serve({ me: { role: 'member' } });
    renderApp('/models');
    expect(await screen.findByText('second')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: /^Actions for/ })).not.toBeInTheDocument();
    expect(screen.queryByRole('navigation', { name: 'Admin pages' })).not.toBeInTheDocument();
  });
});

describe('a run', () => {
  it('shows what each stage did, the loss curve, what was left out and the verdict in words', async () => {
    const run = makeRun({
      stages: {
        extract: { rows: { train: 120, dev: 10, gate: 30 }, rejected: { secret: 4, duplicate: 9 } },
        train: {
          steps: 2,
          tokens: 8192,
          minutes: 2,
          curve: {
            train: [
              [1, 2.5],
              [2, 2],
            ],
            dev: [[0, 2.6]],
          },
        },
      },
      verdict: {
        passed: true,
        checks: [
          {
            check: 'gate NLL',
            champion: 2,
            candidate: 1.8,
            threshold: 'lower',
            passed: true,
            interval: [-0.3, -0.1],
          },
        ],
      },
    });
    serve({ runs: [run] });
    renderApp('/models/runs/run-1');
    expect(await screen.findByText('2 steps over 8,192 tokens')).toBeInTheDocument();
    expect(
      screen.getByText(/120 to learn from, 10 to know when to stop, 30 to judge by/),
    ).toBeInTheDocument();
    expect(
      screen.getByRole('img', { name: /On the rows it learns from the loss went from 2.5 to 2\./ }),
    ).toBeInTheDocument();
    expect(screen.getByRole('region', { name: 'Left out' })).toHaveTextContent(
      '13the same as another9has a password or key in it4',
    );
    expect(screen.getByRole('cell', { name: '−0.3 to −0.1' })).toBeInTheDocument();
    expect(screen.getAllByText('Better by 10 %')).not.toHaveLength(0);
  });

  it('that is under way says how far it is and how long it will take', async () => {
    const run = makeRun({
      state: 'running',
      stage: 'train',
      finished_at: null,
      heartbeat_at: new Date().toISOString(),
      stages: { extract: { rows: { train: 1 } } },
      progress: {
        stage: 'train',
        fraction: 0.4,
        eta_s: 130,
        loss: 2.1,
        curve: {
          train: [
            [1, 3],
            [2, 2.1],
          ],
        },
      },
    });
    serve({ runs: [run] });
    renderApp('/models/runs/run-1');
    expect(await screen.findByText('40 %, about 2 min left')).toBeInTheDocument();
    expect(screen.getByText('Loss 2.1')).toBeInTheDocument();
    expect(screen.getByRole('img', { name: /Loss by step/ })).toBeInTheDocument();
    const stages = within(screen.getByRole('region', { name: 'Stages' }));
    expect(stages.getAllByRole('heading').map((heading) => heading.textContent)).toEqual(
      expect.arrayContaining(['Extract: done', 'Train: under way', 'Publish: not reached']),
    );
  });

  it('that failed says what to do', async () => {
    const failed = {
      state: 'failed',
      stage: 'export',
      error: 'No space left on device',
      progress: {},
    } as const;
    serve({ runs: [makeRun({ ...failed, progress: { resumable: true } })] });
    renderApp('/models/runs/run-1');
    expect(await screen.findByRole('alert')).toHaveTextContent(
      'No space left on device. It may be tried again: “make finetune”, or the next weekly run, goes on where it stopped.',
    );
  });
});

describe('the rows of a run', () => {
  const counts = [
    { source_kind: 'rating', split: 'train', kept: true, reason: null, rows: 2 },
    { source_kind: 'document', split: null, kept: false, reason: 'secret', rows: 1 },
  ];

  function serveRows(rows: TrainingRow[]): URLSearchParams[] {
    const asked: URLSearchParams[] = [];
    serve({ runs: [makeRun()] });
    server.use(
      http.get('*/api/training/runs/run-1/rows/counts', () => HttpResponse.json({ items: counts })),
      http.get('*/api/training/runs/run-1/rows', ({ request }) => {
        const query = new URL(request.url).searchParams;
        asked.push(query);
        const items = rows.filter((row) => (query.get('reason') ? row.reason === query.get('reason') : true));
        return HttpResponse.json({ items, next_after: null });
      }),
    );
    return asked;
  }

  it('lead to a conversation of one’s own, and say who rated', async () => {
    serveRows([
      makeTrainingRow({ conversation_id: 'conversation-1', message_id: 'answer-1' }),
      makeTrainingRow({ id: 'row-2', question: 'Theirs', who: 'b@example.org' }),
    ]);
    renderApp('/models/runs/run-1/rows');
    const links = await screen.findAllByRole('link', { name: 'your conversation' });
    expect(links.map((link) => link.getAttribute('href'))).toEqual(['/c/conversation-1?message=answer-1']);
    expect(screen.getByText(/Rated by b@example.org/)).toBeInTheDocument();
  });

  it('are excluded and included again with one click, all of one source at once', async () => {
    serveRows([makeTrainingRow(), makeTrainingRow({ id: 'row-2' })]);
    const acts: string[] = [];
    const act = ({ request }: { request: Request }) => {
      acts.push(request.method);
      return new HttpResponse(null, { status: 204 });
    };
    server.use(
      http.put('*/api/training/exclusions/rating/feedback-1', act),
      http.delete('*/api/training/exclusions/rating/feedback-1', act),
    );
    renderApp('/models/runs/run-1/rows');
    await userEvent.click((await screen.findAllByRole('button', { name: /^Exclude/ }))[0] as HTMLElement);
    expect(await screen.findAllByText('Excluded from the next run on')).toHaveLength(2);
    await userEvent.click(screen.getAllByRole('button', { name: /^Include again/ })[1] as HTMLElement);
    await waitFor(() => expect(screen.queryByText('Excluded from the next run on')).not.toBeInTheDocument());
    expect(acts).toEqual(['PUT', 'DELETE']);
  });

  it('say which runs met their source, and which versions came of them', async () => {
    serveRows([makeTrainingRow()]);
    const version = { id: 'version-1', name: 'demo-1', state: 'available', aliases: ['champion'] };
    const run = { run_id: 'run-1', started_at: '2026-11-21T10:00:00Z', state: 'published' };
    const uses = [
      { ...run, splits: { train: 3, gate: 1 }, reasons: { near_duplicate: 1 }, version },
      { ...run, run_id: 'run-0', state: 'failed', splits: {}, reasons: { no_consent: 1 }, version: null },
    ];
    server.use(
      http.get('*/api/training/sources/rating/feedback-1/uses', () => HttpResponse.json({ items: uses })),
    );
    renderApp('/models/runs/run-1/rows');
    await userEvent.click(await screen.findByText('Runs and versions that met it'));
    const list = await screen.findByRole('list', { name: 'Runs and versions that met it' });
    const [first, second] = within(list).getAllByRole('listitem');
    expect(first).toHaveTextContent(
      '3 rows to learn from, 1 row to judge by, 1 row left out: nearly the same as anothermade demo-1Champion',
    );
    expect(within(first as HTMLElement).getByRole('link')).toHaveAttribute('href', '/models/runs/run-1');
    expect(second).toHaveTextContent('1 row left out: no consent to training');
  });

  it('are narrowed down by a press on a count', async () => {
    const asked = serveRows([
      makeTrainingRow(),
      makeTrainingRow({ id: 'row-2', source_kind: 'document', kept: false, reason: 'secret', split: null }),
    ]);
    renderApp('/models/runs/run-1/rows');
    const chip = await screen.findByRole('button', { name: '1 has a password or key in it' });
    await userEvent.click(chip);
    await waitFor(() =>
      expect(within(screen.getByRole('list', { name: 'Rows' })).getAllByRole('listitem')).toHaveLength(1),
    );
    expect(chip).toHaveAttribute('aria-pressed', 'true');
    expect(screen.getByLabelText('Left out because')).toHaveValue('secret');
    expect(asked.at(-1)?.get('reason')).toBe('secret');
  });
});
