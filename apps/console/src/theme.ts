import { useState } from 'react';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

/** Also read by `public/theme.js`, before the first paint. */
const place = 'mainstay.theme';

/** The chosen theme; `system` follows the reader's own setting. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => themes.find((name) => name === localStorage.getItem(place)) ?? 'system');
  const choose = (next: Theme): void => {
    if (next === 'system') localStorage.removeItem(place);
    else localStorage.setItem(place, next);
    if (next === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = next;
    setTheme(next);
  };
  return [theme, choose];
}
