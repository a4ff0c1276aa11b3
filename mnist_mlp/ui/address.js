// Keep the settings in the page's address, so that a link reproduces them. Gradio calls this with
// the values of settings.FIELDS, in their order.
(...values) => {
  const names = ["epochs", "batch_size", "learning_rate", "hidden_sizes", "optimizer", "schedule",
    "train_images", "augment", "averaged", "seed"];
  const address = new URL(location);
  names.forEach((name, i) => address.searchParams.set(name, values[i]));
  history.replaceState(history.state, "", address);
}
