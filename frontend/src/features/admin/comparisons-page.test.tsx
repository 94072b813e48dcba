import { screen, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { describe, expect, it } from 'vitest';
import type { Standing } from '@/api/generated';
import { renderWithQueries } from '@/testing/render';
import { server } from '@/testing/server';
import { ComparisonsPage } from './comparisons-page';

function serve(items: Standing[]) {
  server.use(http.get('*/api/admin/comparisons', () => HttpResponse.json({ items })));
}

describe('the comparisons page', () => {
  it('gives each pair its votes and its win rate with the interval', async () => {
    const votes = { wins: 8, losses: 2, ties: 3, both_bad: 1, rate: 0.8, low: 0.4902, high: 0.9433 };
    serve([{ model: 'new', opponent: 'old', ...votes }]);
    renderWithQueries(<ComparisonsPage />);
    const model = await screen.findByText('new');
    const row = model.closest('tr') as HTMLElement;
    expect(within(row).getByRole('rowheader')).toHaveTextContent('new against old');
    const cells = within(row).getAllByRole('cell');
    expect(cells.map((cell) => cell.textContent)).toEqual(['8', '2', '3', '1', '80 % (49 % to 94 %)']);
  });

  it('has no rate while no vote preferred one side', async () => {
    const votes = { wins: 0, losses: 0, ties: 2, both_bad: 0, rate: null, low: null, high: null };
    serve([{ model: 'new', opponent: 'old', ...votes }]);
    renderWithQueries(<ComparisonsPage />);
    expect(await screen.findByText('No vote for one side yet')).toBeInTheDocument();
  });

  it('says how votes come about while there are none', async () => {
    serve([]);
    renderWithQueries(<ComparisonsPage />);
    expect(await screen.findByText(/Nobody has voted yet/)).toHaveTextContent('Compare two models');
  });
});
