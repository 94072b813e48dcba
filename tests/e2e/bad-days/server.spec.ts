import { ask, storedAnswer, untilFinished } from '../fixtures';
import { AWAY, begin, composer, endAll, expect, grows, test } from '../servers';

test.use({ allowedErrors: AWAY });

for (const [action, words] of [
  ['kill', 'is killed'],
  ['terminate', 'is stopped'],
] as const) {
  test(`a server that ${words} and comes back: the text is kept, says so, and goes on`, async ({
    page,
    servers,
  }) => {
    await begin(page);
    await servers(action);
    await expect(page.getByTestId('stage')).toContainText('Connection lost');
    await servers('start');
    await untilFinished(page);
    await expect(page.getByTestId('outcome')).toContainText('interrupted', { ignoreCase: true });
    const { content, status } = await storedAnswer(page);
    expect(status).toBe('interrupted');
    expect(content.length).toBeGreaterThan(80);

    await page.getByRole('button', { name: 'Continue' }).click();
    await grows(page);
    await endAll(page);
    expect((await storedAnswer(page)).content.startsWith(content)).toBe(true);
  });
}

test('while the server is away a message is not lost, and goes through when it is back', async ({
  page,
  servers,
}) => {
  await page.goto('/');
  await servers('kill');
  await ask(page, 'Are you there?');
  await expect(page.getByRole('alert')).toContainText('cannot be reached right now');
  await expect(composer(page)).toHaveValue('Are you there?');
  await servers('start');
  await page.getByRole('button', { name: 'Retry' }).click();
  await grows(page);
  await endAll(page);
  await expect(page.getByTestId('answer')).toHaveCount(1);
});
