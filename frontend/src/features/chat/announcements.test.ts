import { describe, expect, it } from 'vitest';
import { announce } from './announcements';

describe('announce', () => {
  it('waits for the end of a sentence', () => {
    expect(announce('Here is a', 0, false)).toEqual({ say: '', upTo: 0 });
    expect(announce('Here is a function. It', 0, false)).toEqual({ say: 'Here is a function.', upTo: 19 });
  });

  it('says each sentence once, however the text arrives', () => {
    const whole = 'First one. **Second** one!\n\n```python\nx = 1. \ny = 2\n```\n\n- Last `item`';
    const said: string[] = [];
    let from = 0;
    for (let length = 1; length <= whole.length; length += 1) {
      const { say, upTo } = announce(whole.slice(0, length), from, false);
      if (say) said.push(say);
      from = upTo;
    }
    said.push(announce(whole, from, true).say);
    expect(said).toEqual(['First one.', 'Second one!', 'Code block, python.', 'Last item']);
  });

  it('says what is left when the answer ends, and then nothing more', () => {
    const { say, upTo } = announce('No full stop', 0, true);
    expect(say).toBe('No full stop');
    expect(announce('No full stop', upTo, true).say).toBe('');
  });
});
