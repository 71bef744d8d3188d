const shownLength = 120;

/** One value in a table: null and empty text are told apart from words, long ones are cut. */
export function Value({ text, isNumber = false }: { text: string | null; isNumber?: boolean }) {
  if (text === null) return <span className="value-null">null</span>;
  if (text === '') return <span className="value-null">empty</span>;
  const shown = text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
  return <span className={isNumber ? 'value value-number' : 'value'}>{shown.replace(/\s+/g, ' ')}</span>;
}
