export async function statuses(app, path, count) {
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const answers = [];
  for (let request = 0; request < count; request++) {
    const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`);
    answers.push(answer.status);
  }
  server.closeAllConnections();
  server.close();
  return answers;
}
