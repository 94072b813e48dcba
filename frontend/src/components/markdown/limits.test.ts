import { describe, expect, it } from 'vitest';
import { isTooMuch } from './limits';

const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

describe('what is formatted', () => {
  it('is every answer of a usual size', () => {
    const code = lines(2000, (index) => `    self.values_[${index}] = a * b & c`);
    for (const text of [
      '',
      'A word.',
      `Here:\n\n\`\`\`python\n${code}\n\`\`\`\n\nThat is all.`,
      lines(300, (index) => `- item ${index} with \`code\``),
      `# Title\n\n${'-'.repeat(200)}\n\n> > quoted\n`,
      lines(40, (index) => `${'  '.repeat(index)}- item`),
    ])
      expect(isTooMuch(text), text.slice(0, 40)).toBe(false);
  });

  it('is nothing that would keep the reader waiting', () => {
    for (const text of [
      `${'> '.repeat(3000)}deep`,
      lines(400, (index) => `${'  '.repeat(index)}- item`),
      lines(10_000, (index) => `- item ${index}`),
      `| a | b |\n|---|---|\n${lines(5000, (index) => `| ${index} | x |`)}`,
      '`'.repeat(1_000_000),
      '['.repeat(20_000),
      '*a _b '.repeat(20_000),
      '- '.repeat(500),
      `\`\`\`python\n${lines(50_000, (index) => `x${index}`)}\n\`\`\``,
      `\`\`\`\ncode\n\`\`\`\n${'['.repeat(20_000)}`,
    ])
      expect(isTooMuch(text), text.slice(0, 40)).toBe(true);
  });
});
