import { describe, expect, it } from 'vitest';
import { curlExample } from './example';

describe('the example for a terminal', () => {
  it('asks this server with the key, and needs nothing filled in', () => {
    const example = curlExample('https://code.example.org', 'cl-secret');
    expect(example).toContain('curl https://code.example.org/v1/chat/completions');
    expect(example).toContain("'Authorization: Bearer cl-secret'");
    const body = JSON.parse(/-d '(.*)'$/s.exec(example)?.[1] ?? '');
    expect(body).toMatchObject({ model: 'default', messages: [{ role: 'user' }] });
  });
});
