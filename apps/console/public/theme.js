// Runs before the first paint, so that a chosen theme does not flash; the content policy allows no inline script.
{
  const theme = localStorage.getItem('mainstay.theme');
  if (theme) document.documentElement.dataset.theme = theme;
}
