"""Training data: packed photo sets, random crops, class weights and palettes."""
