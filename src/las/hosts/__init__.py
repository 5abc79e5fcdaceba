"""What is known of the model that is to spike: its towers and stacks, where its weights lie."""
