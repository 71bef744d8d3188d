import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError } from './database-faults.ts';
import { Gathered } from './gathered.ts';

describe('gathered questions', () => {
  it('are sent at once when alone, and together while another is under way', async () => {
    const sent: number[][] = [];
    const gathered = new Gathered<number, number>(async (questions) => {
      sent.push([...questions]);
      await pause(5);
      return questions.map((n) => n * 10);
    });
    expect(await Promise.all([1, 2, 3].map((n) => gathered.ask(n)))).toEqual([10, 20, 30]);
    expect(await gathered.ask(4)).toBe(40);
    expect(sent).toEqual([[1], [2, 3], [4]]);
  });

  it('are asked one by one when PostgreSQL refuses one of them', async () => {
    const gathered = new Gathered<string, string>(async (questions) => {
      await pause(1);
      if (questions.includes('bad')) throw new DatabaseError('refused', 1, 'error');
      return questions;
    });
    const answers = await Promise.allSettled(['first', 'bad', 'good'].map((text) => gathered.ask(text)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('all fail when the connection does', async () => {
    let times = 0;
    const gathered = new Gathered<number, number>(async () => {
      times += 1;
      await pause(1);
      throw new Error('gone');
    });
    const answers = await Promise.allSettled([1, 2, 3].map((n) => gathered.ask(n)));
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(times).toBe(2);
  });
});
