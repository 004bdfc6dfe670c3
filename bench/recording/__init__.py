"""What recording costs: the store's share (`store.py`) and the training thread's."""
